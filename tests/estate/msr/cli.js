// Copyright (c) 2026, registryops.migration contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// usage: cli.js NODE_MODULES PORT [EXPRESSION]
//
// The product's command lines: statements of JavaScript with the driver as r, from the argument or from standard input. The value of the last
// one is printed as JSON without an end of line; a query is run first. RethinkDB's own driver, against a database on loopback.

'use strict';

const fs = require('fs');
const vm = require('vm');

const [, , modules, port, expression] = process.argv;
const r = require(modules + '/rethinkdb');

async function main() {
  const statements = expression === undefined ? fs.readFileSync(0, 'utf8') : expression;
  globalThis.r = r;
  let value = vm.runInThisContext(statements);
  const connection = await r.connect({host: '127.0.0.1', port: Number(port)});
  try {
    if (value && typeof value.run === 'function') value = await value.run(connection);
    if (value && typeof value.toArray === 'function' && !Array.isArray(value)) value = await value.toArray();
  } finally {
    await connection.close();
  }
  process.stdout.write(JSON.stringify(value));
}

main().catch((error) => {
  process.stderr.write(error.name + ': ' + error.message + '\n');
  process.exitCode = 1;
});
