// Copyright (c) 2026, registryops.migration contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// usage: reqlite.js NODE_MODULES PORT JOURNAL
//
// reqlite on loopback alone (by itself it listens on all interfaces), which also says how often each table has changed: a row per table in
// estate.changes, {id: "database.table", changes: number}. A reader whose copy of a table has that number need not read it again. The port on
// which it says which rows have changed (journal.js) is written to the file JOURNAL.

'use strict';

const fs = require('fs');
const net = require('net');
const [, , modules, port, journalFile] = process.argv;

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (wanted, ...others) {
  return listen.call(this, wanted, '127.0.0.1', ...others);
};

const Server = require(modules + '/reqlite');
const Table = require(modules + '/reqlite/lib/table.js');
const Document = require(modules + '/reqlite/lib/document.js');
const {makeInternalPk} = require(modules + '/reqlite/lib/utils.js');

const server = new Server({'driver-port': Number(port), silent: true});
server._server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});

const tally = () => server.databases.estate && server.databases.estate.table('changes');

function count(table) {
  const counts = tally();
  if (!counts || table === counts) return;
  const id = table.db + '.' + table.name;
  const key = makeInternalPk(id);
  const before = counts.documents[key] ? counts.documents[key].doc.changes : 0;
  counts.documents[key] = new Document({id, changes: before + 1}, counts);
}

for (const [kind, tableOf] of [[Table, (it) => it], [Document, (it) => it.table]]) {
  const emit = kind.prototype.emit;
  kind.prototype.emit = function (event, ...details) {
    if (event === 'change') count(tableOf(this));
    return emit.call(this, event, ...details);
  };
}

const journal = require('./journal.js');
journal.listen(journal.follow(modules + '/reqlite'), (at) => {
  fs.writeFileSync(journalFile + '.new', String(at));
  fs.renameSync(journalFile + '.new', journalFile);
});
