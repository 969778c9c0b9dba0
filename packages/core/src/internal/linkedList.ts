/** A member of a `LinkedList`. */
export class Node<A> {
  readonly value: A
  previous: Node<A> | undefined
  next: Node<A> | undefined
  isLinked = true

  constructor(value: A, previous: Node<A> | undefined) {
    this.value = value
    this.previous = previous
  }
}

/**
 * A queue from which any member can be removed in constant time. A `Map` or a `Set` keeps the slots of members deleted
 * at its front, and skips them each time.
 */
export class LinkedList<A> {
  first: Node<A> | undefined
  #last: Node<A> | undefined

  append(value: A): Node<A> {
    const node = new Node(value, this.#last)
    if (this.#last === undefined) this.first = node
    else this.#last.next = node
    this.#last = node
    return node
  }

  /** Whether it was still a member. */
  remove(node: Node<A>): boolean {
    if (!node.isLinked) return false
    const { next, previous } = node
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    node.isLinked = false
    node.previous = node.next = undefined
    return true
  }
}
