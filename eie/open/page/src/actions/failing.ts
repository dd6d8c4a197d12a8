/** What goes wrong is said in plain words, once. */

import { ApiError } from "../core/api";
import { problem } from "../store";

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function tell(error: unknown): void {
  if (isAbort(error)) return;
  if (error instanceof ApiError) problem.value = error.failure;
  else {
    console.error(error);
    const message = error instanceof Error ? error.message : String(error);
    problem.value = { message: "the page made a mistake", where: null, hint: message };
  }
}

/** Do something and tell what goes wrong; whether it went well. */
export async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    tell(error);
    return false;
  }
}
