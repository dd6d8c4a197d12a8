/** Work that is done in turn, each when all before is done. */

export class Turns {
  #last: Promise<void> = Promise.resolve();
  readonly #open: { value: number };
  readonly #failed: (error: unknown) => Promise<void>;

  /**
   * @param open is told how many are not done yet.
   * @param failed what to do about work that fails, before the next has its turn.
   */
  constructor(open: { value: number }, failed: (error: unknown) => Promise<void>) {
    this.#open = open;
    this.#failed = failed;
  }

  /** Begin at once if nothing is under way, else when all before is done. */
  take(work: () => Promise<void>): Promise<void> {
    const begun = this.#open.value++ ? this.#last.then(work) : work();
    this.#last = begun.catch(this.#failed).finally(() => {
      this.#open.value--;
    });
    return this.#last;
  }

  /** Wait until nothing is under way, nor anything that was asked for in the meantime. */
  async settled(): Promise<void> {
    while (this.#open.value) await this.#last;
  }
}
