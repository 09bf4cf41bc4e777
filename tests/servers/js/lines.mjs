// How Python drives a program: by lines of JSON on standard input, each with an id that its answer has too.

import { createInterface } from "node:readline";

export const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

/** Do what each line says until standard input ends. */
export function answers(todo, end = () => {}) {
  createInterface({ input: process.stdin })
    .on("line", async (line) => {
      const { id, do: what, ...how } = JSON.parse(line);
      try {
        tell({ id, done: (await todo[what](how)) ?? null });
      } catch (error) {
        tell({ id, refused: { status: error.httpStatus ?? 0, ...error.data, error: String(error.message ?? error) } });
      }
    })
    .on("close", async () => {
      await end();
      process.exit(0);
    });
}
