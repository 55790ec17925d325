'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { createParser, ModelParsingOption } = require('@azure/dtdl-parser');

// The models, as IoT Central imports them.
const print = (relays) => execFileSync('go', ['run', './configs/dtdl', String(relays)], { cwd: path.join(__dirname, '..'), encoding: 'utf8' });

const parse = (text) => createParser(ModelParsingOption.StrictlyStandard).parse([text]);

for (const relays of [1, 2, 4, 8, 16, 32]) {
  test(`Microsoft's parser takes the model of ${relays} relays`, async () => {
    const model = await parse(print(relays));
    const device = model[`dtmi:tasmotaAzd:Relays${relays};1`];
    assert.equal(device.entityKind, 'interface');
    const contents = Object.values(device.contents);
    assert.equal(contents.filter((c) => c.entityKind === 'component').length, relays);
    assert.ok(device.contents.TelePeriod.writable, 'what is extended is part of it');
    const relay = device.contents.relay1.schema;
    assert.ok(relay.contents.on.writable);
    assert.equal(relay.contents.toggle.entityKind, 'command');
    assert.equal(relay.contents[relays === 1 ? 'POWER' : 'POWER1'].entityKind, 'telemetry');
  });
}

test('the parser refuses a model that is wrong', async () => {
  await assert.rejects(parse(print(1).replace('"boolean"', '"bolean"')));
});
