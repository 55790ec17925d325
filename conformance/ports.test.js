'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { Hubsim, until } = require('./hubsim.js');

// The other tests tell the packages of a port. Here a program runs against
// hubsim on the ports that Azure has, and nothing is told but the name of the
// provisioning service and, to Node, the CA.
test('a program written for Azure runs on ports 8883 and 443', async (t) => {
  let sim;
  try {
    sim = await Hubsim.start(['localhost'], { hubPort: 8883, dpsPort: 443 });
  } catch (err) {
    const busy = /bind: (address already in use|permission denied)/.exec(err.message);
    if (!busy) throw err;
    t.skip(`ports 8883 and 443 of 127.0.0.1: ${busy[1]}`);
    return;
  }
  t.after(() => sim.stop());
  const key = await sim.createEnrollment('program');
  const program = spawn(process.execPath, [path.join(__dirname, 'program.js'), sim.scopeId, 'program', key], {
    env: { ...process.env, PROVISIONING_HOST: 'localhost', NODE_EXTRA_CA_CERTS: sim.caFile },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exit = once(program, 'exit');
  t.after(() => program.kill());
  await until('the program to be ready', async () => (await sim.events('program')).length === 1);
  await sim.send('program', { topic: '/power', body: 'toggle' });
  assert.deepEqual(await exit, [0, null]);
  assert.deepEqual((await sim.events('program')).map(({ body }) => body), ['ready', 'done: toggle']);
  assert.match((await sim.ended('program')).end, /DISCONNECT/);
});
