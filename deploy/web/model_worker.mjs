/**
 * Runs a model.mjs apart from the page. module_session.mjs starts it from a blob:, under a policy that lets it load
 * blob: alone, so it imports nothing by name.
 */

let predict;
let measureBlocks;

const tasks = {
  async open({ model, timing }) {
    ({ measureBlocks } = await import(timing));
    ({ predict } = await import(model));
    if (typeof predict !== 'function') throw new TypeError('it exports no predict function');
  },
  run: ({ input }) => predict(input),
  measure({ input, settings }) {
    const output = predict(input);
    return measureBlocks(() => predict(input, output), settings);
  },
};

addEventListener('message', async ({ data: { id, task, ...given } }) => {
  try {
    postMessage({ id, value: await tasks[task](given) });
  } catch (error) {
    postMessage({ id, problem: String(error instanceof Error ? error.message : error) });
  }
});
