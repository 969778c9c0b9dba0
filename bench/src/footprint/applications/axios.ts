import axios from "axios"
import { answered } from "./answered.ts"

await axios.put(
  `${process.env["PLEO_SERVER"]}/v1/installations/me`,
  { status: "ACTIVATED", metadata: { externalApplicationId: "123456789" } },
  { headers: { authorization: `Bearer ${process.env["PLEO_ACCESS_TOKEN"]}` } }
)
answered()
