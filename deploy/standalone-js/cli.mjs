#!/usr/bin/env node
/** `node cli.mjs predict|verify|bench`: model.mjs without any runtime; the commands are those of ../node. */

import { JAVASCRIPT_FILE } from '../js/bundle.mjs';
import { main } from '../node/commands.mjs';
import { openModule } from './module.mjs';

const engine = { file: JAVASCRIPT_FILE, open: openModule };
await main({ name: 'standalone-js', version: process.versions.node, engine }, 'node cli.mjs', process.argv.slice(2));
