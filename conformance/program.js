'use strict';

// A device's whole program as its author would write it for Azure: nothing in
// it knows of hubsim. It registers, connects, sends a message, obeys one
// command and leaves.
//
//   node program.js <id scope> <registration id> <key>

const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');

const provisioningHost = process.env.PROVISIONING_HOST ?? 'global.azure-devices-provisioning.net';

async function main(idScope, registrationId, key) {
  const security = new SymmetricKeySecurityClient(registrationId, key);
  const { assignedHub, deviceId } = await ProvisioningDeviceClient.create(
    provisioningHost, idScope, new Http(), security).register();

  const client = Client.fromConnectionString(
    `HostName=${assignedHub};DeviceId=${deviceId};SharedAccessKey=${key}`, Mqtt);
  const command = new Promise((resolve) => { client.on('message', resolve); });
  await client.open();
  await client.sendEvent(new Message('ready'));
  const message = await command;
  await client.complete(message);
  await client.sendEvent(new Message(`done: ${message.data}`));
  await client.close();
}

main(...process.argv.slice(2));
