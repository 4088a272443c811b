/** `node bench.mjs BUNDLE BATCH [BLOCKS]`: the time of the page's wasm, as one line of JSON. */

process.argv.splice(2, 0, 'bench');
await import('./cli.mjs');
