// Copyright (c) 2026, registryops.migration contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Which rows of a reqlite have changed since a moment: so that a double can keep all tables in memory, and is never behind what
// anybody has written. `follow` has to be called before the server is made; `listen` then answers on a port of loopback, one line for
// each line: "<number>\n" is answered with {"at": <number>, "rows": [[database, table, key, row or null], ...]}, everything that has
// changed since that number. Tables that are dropped are not told of.
"use strict";

const net = require("net");
const path = require("path");

const log = [];

function follow(reqlite) {
  const Table = require(path.join(reqlite, "lib", "table.js"));
  const emit = Table.prototype.emit;
  Table.prototype.emit = function (name, change, ...rest) {
    if (name === "change") {
      log.push([this, (change.new_val || change.old_val)[this.options.primaryKey]]);
    }
    return emit.call(this, name, change, ...rest);
  };
  return require(path.join(reqlite, "lib", "utils.js"));
}

function answer(since, util) {
  const seen = new Map();
  for (let number = log.length - 1; number >= since; number--) {
    const [table, key] = log[number];
    const keys = seen.get(table) || seen.set(table, new Set()).get(table);
    keys.add(key);
  }
  const rows = [];
  for (const [table, keys] of seen) {
    for (const key of keys) {
      const held = table.documents[util.makeInternalPk(key)];
      rows.push([table.db, table.name, key, held === undefined ? null : util.toDatum(held.doc)]);
    }
  }
  return JSON.stringify({ at: log.length, rows });
}

function listen(util, done) {
  const server = net.createServer((connection) => {
    let text = "";
    connection.setNoDelay(true);
    connection.on("error", () => connection.destroy());
    connection.on("data", (data) => {
      text += data;
      const lines = text.split("\n");
      text = lines.pop();
      for (const line of lines) {
        connection.write(answer(Number(line), util) + "\n");
      }
    });
  });
  server.listen(0, () => done(server.address().port));
}

module.exports = { follow, listen };
