import { request } from "undici"
import { answered } from "./answered.ts"

const { body, statusCode } = await request(`${process.env["PLEO_SERVER"]}/v1/installations/me`, {
  method: "PUT",
  headers: {
    authorization: `Bearer ${process.env["PLEO_ACCESS_TOKEN"]}`,
    "content-type": "application/json"
  },
  body: JSON.stringify({ status: "ACTIVATED", metadata: { externalApplicationId: "123456789" } })
})
await body.json()
if (statusCode !== 200) throw new Error(`status ${statusCode}`)
answered()
