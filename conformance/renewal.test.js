'use strict';

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Hubsim, until } = require('./hubsim.js');
const { device, received, roundTrip, Message } = require('./sdk.js');

let sim;
before(async () => { sim = await Hubsim.start(['contoso.azure-devices.net', 'localhost']); });
after(() => sim.stop());

// The packages drop a command that arrives while they say goodbye (they have
// acknowledged it by then), so commands are sent after each login only.
test('tokens are renewed, and all that was sent arrives (H11, H20)', async (t) => {
  const client = await device(t, sim, await sim.createDevice('renewing'), {
    tokenRenewal: { tokenValidTimeInSeconds: 4, tokenRenewalMarginInSeconds: 2 },
  });
  const messages = received(client);
  await roundTrip(client);
  const said = ['round trip'];
  for (let n = 1; n <= 4; n++) {
    await until(`login ${n}`, async () => {
      said.push(`event ${said.length}`);
      await client.sendEvent(new Message(said.at(-1)));
      return (await sim.logins('renewing')).length === n;
    });
    await sim.send('renewing', { body: `command ${n}` });
    await sim.completed('renewing');
  }

  const logins = await sim.logins('renewing');
  assert.deepEqual(logins.map(({ code }) => code), [0, 0, 0, 0]);
  for (const [i, login] of logins.slice(1).entries()) {
    assert.ok(login.expiry > logins[i].expiry, 'a token was used twice');
    assert.match(logins[i].end, /DISCONNECT/);
    assert.equal(login.sessionPresent, true);
  }
  assert.deepEqual((await sim.events('renewing')).map(({ body }) => body), said);
  assert.deepEqual(messages.map(({ data }) => `${data}`), ['command 1', 'command 2', 'command 3', 'command 4']);
});
