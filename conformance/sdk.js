'use strict';

// Microsoft's packages, used as an application uses them.

const { Client, Message, SharedAccessSignature, SharedAccessSignatureAuthenticationProvider, X509AuthenticationProvider } = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');
const fs = require('node:fs');
const https = require('node:https');

// never is a retry policy: it makes the client tell what it would else mend.
const never = { shouldRetry: () => false, nextRetryTimeout: () => -1 };

// gateway is where the packages connect to instead of port 8883 of the hub.
// Only the target of TCP and TLS changes: username and token name the hub.
function gateway(sim) { return `localhost:${sim.hubPort}`; }

// device returns a client that is closed when test t ends.
async function device(t, sim, connectionString, options) {
  return configured(t, sim, Client.fromConnectionString(`${connectionString};GatewayHostName=${gateway(sim)}`, Mqtt), options);
}

// overWebSocket returns one that goes over WebSocket.
async function overWebSocket(t, sim, connectionString, options) {
  const client = Client.fromConnectionString(`${connectionString};GatewayHostName=localhost`, MqttWs);
  return configured(t, sim, client, { ...options, ...webSocket(sim) });
}

// webSocket is what takes the packages to the port that hubsim has for
// WebSocket: an agent of Node's. They always ask for port 443.
function webSocket(sim) {
  return { mqtt: { webSocketAgent: new https.Agent({ port: sim.webSocketPort, ca: fs.readFileSync(sim.caFile) }) } };
}

// deviceWithCertificate returns a client that shows a certificate. Of such a
// one the packages do not take a gateway from the connection string.
async function deviceWithCertificate(t, sim, host, deviceId, x509, { overWebSocket = false } = {}) {
  const provider = X509AuthenticationProvider.fromX509Options(deviceId, host, x509);
  provider.getDeviceCredentials = (done) => done(null, {
    host, deviceId, x509, gatewayHostName: overWebSocket ? 'localhost' : gateway(sim),
  });
  const client = Client.fromAuthenticationProvider(provider, overWebSocket ? MqttWs : Mqtt);
  return configured(t, sim, client, overWebSocket ? webSocket(sim) : {});
}

// deviceWithToken returns a client with a token of its own that nobody renews.
async function deviceWithToken(t, sim, connectionString, expiry) {
  const { HostName: host, DeviceId: deviceId, SharedAccessKey: key } = parse(connectionString);
  const sharedAccessSignature = SharedAccessSignature.create(host, deviceId, key, expiry).toString();
  const provider = new SharedAccessSignatureAuthenticationProvider({
    host, deviceId, sharedAccessSignature, gatewayHostName: gateway(sim),
  });
  return configured(t, sim, Client.fromAuthenticationProvider(provider, Mqtt));
}

async function configured(t, sim, client, options) {
  t.after(() => client.close());
  await client.setOptions({ ca: sim.caFile, ...options });
  return client;
}

// parse splits a connection string.
function parse(connectionString) {
  return Object.fromEntries(connectionString.split(';').map((part) => {
    const at = part.indexOf('=');
    return [part.slice(0, at), part.slice(at + 1)];
  }));
}

// roundTrip returns once the hub has handled whatever the client sent before,
// such as a SUBSCRIBE, of which the packages do not tell when it is done.
async function roundTrip(client) {
  await client.sendEvent(new Message('round trip'));
}

// received collects the client's messages and completes them.
function received(client) {
  const messages = [];
  client.on('message', (message) => {
    messages.push(message);
    client.complete(message);
  });
  return messages;
}

// answering answers all calls of a method alike and collects them.
function answering(client, name, status, payload) {
  const calls = [];
  client.onDeviceMethod(name, (request, response) => {
    calls.push({ methodName: request.methodName, payload: request.payload });
    response.send(status, payload);
  });
  return calls;
}

// report changes reported properties.
function report(twin, patch) {
  return new Promise((resolve, reject) => {
    twin.properties.reported.update(patch, (err) => (err ? reject(err) : resolve()));
  });
}

// persist opens a client again as often as the packages give up: they mend a
// connection that was closed, but leave one that was reset to the application.
function persist(client) {
  client.on('disconnect', () => client.open());
}

// properties are the application properties of a message.
function properties(message) {
  return Object.fromEntries(message.properties.propertyList.map(({ key, value }) => [key, value]));
}

module.exports = { answering, device, deviceWithCertificate, deviceWithToken, never, overWebSocket, persist, properties, received, report, roundTrip, Message };
