/** The start of a body. A single chunk is kept as it is; further chunks are copied into one buffer. */
export class BodyBuffer {
  #bytes: Buffer = Buffer.alloc(0)
  #size = 0
  /** The used length of `#bytes`, once they are a copy. */
  #capacity = 0

  /** Adds a chunk, or the start of one that does not fit. Returns whether it fits. */
  append(chunk: Buffer, limit: number): boolean {
    const size = Math.min(limit, this.#size + chunk.length)
    if (this.#size === 0) {
      this.#bytes = chunk
    } else {
      if (size > this.#capacity) this.#grow(Math.min(limit, 2 * size))
      chunk.copy(this.#bytes, this.#size, 0, size - this.#size)
    }
    const isWhole = size === this.#size + chunk.length
    this.#size = size
    return isWhole
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size)
  }

  #grow(capacity: number): void {
    const bytes = Buffer.allocUnsafeSlow(capacity)
    this.#bytes.copy(bytes, 0, 0, this.#size)
    this.#bytes = bytes
    this.#capacity = capacity
  }
}
