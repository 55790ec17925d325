'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { promisify } = require('node:util');
const { Http } = require('azure-iot-provisioning-device-http');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { X509Security } = require('azure-iot-security-x509');
const { Hubsim, binary } = require('./hubsim.js');
const { deviceWithCertificate, Message } = require('./sdk.js');

const hub = 'contoso.azure-devices.net';

let sim;
before(async () => {
  sim = await Hubsim.start([hub, 'localhost']);
  https.globalAgent = new https.Agent({ port: sim.dpsPort, ca: fs.readFileSync(sim.caFile) });
});
after(() => sim.stop());

// selfSigned creates a device that is known by the thumbprint of a new
// certificate, and returns that and its key.
async function selfSigned(deviceId) {
  await promisify(execFile)(binary, ['device', 'create', deviceId, '--control', sim.control,
    '--auth-method', 'x509_thumbprint', '--output-dir', sim.dir]);
  const read = (what) => fs.readFileSync(path.join(sim.dir, `${deviceId}-${what}.pem`), 'utf8');
  return { cert: read('cert'), key: read('key') };
}

for (const overWebSocket of [false, true]) {
  const name = overWebSocket ? 'WebSocket' : 'MQTT';
  test(`a device shows its certificate over ${name} (contract, section 8.1)`, async (t) => {
    const deviceId = `shown-${name}`;
    const client = await deviceWithCertificate(t, sim, hub, deviceId, await selfSigned(deviceId), { overWebSocket });
    await client.sendEvent(new Message('x'));
    const [login, ...more] = await sim.logins(deviceId);
    assert.deepEqual(more, []);
    assert.deepEqual([login.code, login.auth, login.expiry], [0, 'thumbprint', undefined]);
    const [event] = await sim.events(deviceId);
    assert.match(event.systemProperties['iothub-connection-auth-method'], /x509/);
  });
}

test('another certificate is refused', async (t) => {
  await selfSigned('right');
  const client = await deviceWithCertificate(t, sim, hub, 'right', await selfSigned('left'));
  await assert.rejects(client.open(), { name: 'UnauthorizedError' });
});

// register asks the provisioning service for a hub.
function register(registrationId, x509) {
  return ProvisioningDeviceClient.create('localhost', sim.scopeId, new Http(), new X509Security(registrationId, x509)).register();
}

test('a device registers with its certificate, and the hub knows it by that (contract, section 8.2)', async (t) => {
  const x509 = await selfSigned('lamp');
  await sim.call('DELETE', 'devices/lamp');
  await sim.call('POST', 'enrollments', { id: 'lamp', certificates: [x509.cert] });
  const state = await register('lamp', x509);
  assert.deepEqual([state.status, state.assignedHub, state.deviceId], ['assigned', hub, 'lamp']);
  const client = await deviceWithCertificate(t, sim, state.assignedHub, state.deviceId, x509);
  await client.sendEvent(new Message('provisioned'));
  assert.equal((await sim.logins('lamp'))[0].auth, 'thumbprint');

  const other = await selfSigned('fan');
  const err = await register('lamp', other).then(() => assert.fail('registered'), (err) => err);
  assert.deepEqual([err.name, JSON.parse(err.responseBody).errorCode], ['UnauthorizedError', 401002]);
});
