import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { RetryBudgets } from "../src/internal/call/budget.ts"
import { privateSize } from "./support/inspect.ts"

const repeat = (count: number, run: (index: number) => void) => {
  for (let index = 0; index < count; index++) run(index)
}

/** How many withdrawals are granted in a row. */
const grantedTo = (budgets: RetryBudgets, installation: string): number => {
  let granted = 0
  while (budgets.withdraw(installation)) granted += 1
  return granted
}

describe("retry budgets", () => {
  interface Step {
    readonly installation: string
    readonly isDeposit: boolean
  }

  const customers = ["a", "b", "c", "d"]

  const stepsOf = (failing: ReadonlyArray<string>): FastCheck.Arbitrary<ReadonlyArray<Step>> =>
    FastCheck.array(
      FastCheck.boolean().chain((isDeposit) =>
        FastCheck.record({
          installation: FastCheck.constantFrom(...(isDeposit ? customers : failing)),
          isDeposit: FastCheck.constant(isDeposit)
        })
      ),
      { minLength: 1, maxLength: 400, size: "max" }
    )

  // One fails for ever, or all do.
  const steps = FastCheck.oneof(stepsOf(["a"]), stepsOf(customers))

  /** The installations whose withdrawals were granted, and how many withdrawals were refused. */
  const carryOut = (steps: ReadonlyArray<Step>) => {
    const budgets = new RetryBudgets()
    const granted: Array<string> = []
    let refused = 0
    for (const { installation, isDeposit } of steps) {
      if (isDeposit) budgets.deposit(installation)
      else if (budgets.withdraw(installation)) granted.push(installation)
      else refused += 1
    }
    return { granted, refused }
  }

  it.prop(
    "grant no more than 10 retries and a tenth of the updates, over all and per customer, in any order",
    [steps],
    ([steps]) => {
      const { granted } = carryOut(steps)
      const bound = (deposits: number) => 10 + deposits / 10
      expect(granted.length).toBeLessThanOrEqual(bound(steps.filter(({ isDeposit }) => isDeposit).length))
      for (const customer of customers) {
        const deposits = steps.filter(({ installation, isDeposit }) => isDeposit && installation === customer)
        expect(granted.filter((installation) => installation === customer).length).toBeLessThanOrEqual(
          bound(deposits.length)
        )
      }
    },
    { fastCheck: { numRuns: 200 } }
  )

  it("the orders looked at have both in them: retries that are granted, and such that are not", () => {
    const looked = FastCheck.sample(steps, { numRuns: 100, seed: 1 }).map(carryOut)
    expect(
      looked.filter(({ granted, refused }) => granted.length > 10 && refused > 0).length
    ).toBeGreaterThan(10)
  })

  it("are full at first, and full again after ten updates for each retry", () => {
    const budgets = new RetryBudgets()
    expect(grantedTo(budgets, "a")).toBe(10)
    repeat(9, () => budgets.deposit("a"))
    expect(grantedTo(budgets, "a")).toBe(0)
    budgets.deposit("a")
    expect(grantedTo(budgets, "a")).toBe(1)
    repeat(1000, () => budgets.deposit("a"))
    expect(grantedTo(budgets, "a")).toBe(10)
  })

  it("that are full take no memory", () => {
    const budgets = new RetryBudgets()
    const size = () => privateSize(budgets, "#own")
    repeat(1000, (index) => budgets.deposit(`customer-${index}`))
    expect(size()).toBe(0)
    repeat(5, (index) => budgets.withdraw(`customer-${index}`))
    expect(size()).toBe(5)
    repeat(9, () => budgets.deposit("customer-0"))
    expect(size()).toBe(5)
    budgets.deposit("customer-0")
    expect(size()).toBe(4)
  })

  it("a retry that is refused takes no memory", () => {
    const budgets = new RetryBudgets()
    grantedTo(budgets, "a")
    repeat(1000, (index) => budgets.withdraw(`customer-${index}`))
    expect(privateSize(budgets, "#own")).toBe(1)
  })

  it("are never more than 10 000 in memory, of which the oldest are forgotten", () => {
    const budgets = new RetryBudgets()
    // As much as all have together is earned by others.
    const spendOne = (installation: string) => {
      repeat(10, () => budgets.deposit("busy"))
      return budgets.withdraw(installation)
    }
    repeat(10, () => spendOne("first"))
    expect(spendOne("first")).toBe(false)
    repeat(9_999, (index) => spendOne(`customer-${index}`))
    expect(privateSize(budgets, "#own")).toBe(10_000)
    expect(spendOne("first")).toBe(false)
    repeat(9, () => spendOne("last"))
    expect(privateSize(budgets, "#own")).toBe(10_000)
    expect(spendOne("first")).toBe(true)
    expect([spendOne("last"), spendOne("last")]).toEqual([true, false])
    expect(privateSize(budgets, "#own")).toBe(10_000)
  })
})
