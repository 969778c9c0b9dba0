import type * as Transport from "@effect-pleo/core/Transport"

/** Decodes the start of a body. Throws if it is invalid or, decoded, over the limit. */
const decodeOne = (body: Uint8Array, coding: string, maxOutputLength: number): Uint8Array => {
  // Loaded for the first coded response, to start faster. jest cannot run an `import()` in CommonJS.
  const zlib = process.getBuiltinModule("node:zlib")
  if (coding === "br") return zlib.brotliDecompressSync(body, { maxOutputLength })
  // The body of an error may be truncated.
  const options = { maxOutputLength, finishFlush: zlib.constants.Z_SYNC_FLUSH }
  // Some servers omit the zlib header (RFC 9110 section 8.4.1.2).
  if (coding === "deflate" && ((body[0] ?? 0) & 15) !== 8) return zlib.inflateRawSync(body, options)
  if (/^(deflate|(x-)?gzip)$/.test(coding)) return zlib.unzipSync(body, options)
  throw new TypeError("unknown content coding")
}

/**
 * Decodes the body of a response. Returns the response as it is if its codings are unknown or invalid, and `undefined` if
 * the decoded body is over the limit.
 */
export const decode = (response: Transport.Response, limit: number): Transport.Response | undefined => {
  const { "content-encoding": header, "content-length": _, ...headers } = response.headers
  const codings =
    String(header)
      .toLowerCase()
      .match(/[^\s,]+/g) ?? []
  // As in undici: each coding takes time and memory, however short the body.
  if (codings.length > 5) return response
  try {
    const body = codings.reduceRight(
      (body, coding) => (coding === "identity" ? body : decodeOne(body, coding, Math.min(limit, 2 ** 31))),
      response.body
    )
    return { ...response, headers, body }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? undefined : response
  }
}
