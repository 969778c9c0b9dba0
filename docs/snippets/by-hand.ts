export const update = async (status: string, metadata?: object) => {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(
        "https://external.pleo.io/v1/installations/me",
        {
          method: "PUT",
          headers: {
            authorization: `Bearer ${process.env["PLEO_ACCESS_TOKEN"]}`,
            "content-type": "application/json"
          },
          body: JSON.stringify({ status, metadata }),
          signal: AbortSignal.timeout(10_000)
        }
      )
      if (response.ok) return await response.json()
      if (response.status < 500 && response.status !== 429)
        throw new Error(await response.text())
    } catch (error) {
      if (attempt === 3) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt))
  }
}
