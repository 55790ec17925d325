'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const lock = JSON.parse(fs.readFileSync(path.join(__dirname, 'package-lock.json'), 'utf8'));
const packages = Object.entries(lock.packages).filter(([where]) => where !== '');

test('every package is pinned by its checksum, wherever it comes from', () => {
  for (const [where, { integrity, resolved }] of packages) {
    assert.match(integrity, /^sha512-/, where);
    assert.equal(resolved, undefined, where);
  }
});

test('what is installed is what the lock file says', () => {
  for (const [where, { version }] of packages) {
    const installed = JSON.parse(fs.readFileSync(path.join(__dirname, where, 'package.json'), 'utf8'));
    assert.equal(installed.version, version, where);
  }
});
