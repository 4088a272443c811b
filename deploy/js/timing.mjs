/** Blocks of calls around one pair of clock readings; the protocol of bench/worker/rounds.py. */

const WARM_IN_CALLS = 8;
const TRIALS = 5;
const MAX_CALLS = 100_000;

/**
 * @param {() => unknown} call a promise that it returns is waited for
 * @param {{blocks: number, blockMs?: number}} settings a browser's clock is coarse and wants longer blocks
 * @returns {Promise<{calls: number, blockS: number[]}>} calls in each block, and the duration of each in seconds
 */
export async function measureBlocks(call, { blocks, blockMs = 0.1 }) {
  const calls = await calibrate(call, blockMs);
  const blockS = [];
  for (let block = 0; block < blocks; block++) {
    await timeBlock(call, WARM_IN_CALLS);
    blockS.push((await timeBlock(call, calls)) / 1000);
  }
  return { calls, blockS };
}

/** The calls a block takes, from the least of several trials: one preempted trial cannot end it. */
async function calibrate(call, blockMs) {
  await timeBlock(call, WARM_IN_CALLS);
  for (let count = 1; ; ) {
    let least = Infinity;
    for (let trial = 0; trial < TRIALS; trial++) least = Math.min(least, await timeBlock(call, count));
    if (least >= blockMs || count >= MAX_CALLS) return count;
    const wanted = least > 0 ? Math.floor((count * blockMs) / least) + 1 : count * 10;
    count = Math.min(Math.max(wanted, count + 1), count * 10, MAX_CALLS);
  }
}

async function timeBlock(call, count) {
  const start = performance.now();
  for (let done = 0; done < count; done++) {
    const answer = call();
    if (answer instanceof Promise) await answer; // to wait for what is there already would take longer than a short call
  }
  return performance.now() - start;
}

/** The median. */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
