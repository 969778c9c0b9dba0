// Prints the OpenAPI document of the contract as this project uses it.
import { AppMarketplaceApi } from "@effect-pleo/core"

process.stdout.write(`${JSON.stringify(AppMarketplaceApi.openApi(), null, 2)}\n`)
