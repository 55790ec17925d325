'use strict';

// A hubsim process and its control API, which docs/hubsim.md describes.

const { spawn } = require('node:child_process');
const fs = require('node:fs/promises');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const binary = path.resolve(process.env.HUBSIM ?? path.join(__dirname, '..', 'bin', 'hubsim'));

const escape = encodeURIComponent;

// How long a test waits for anything, in milliseconds.
const patience = 10_000;

// until asks until the answer is truthy, and returns it.
async function until(what, ask) {
  const deadline = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms for ${what}`);
    await sleep(20);
  }
}

class Hubsim {
  // start runs a hubsim that serves the hubs named. Port 0 is a free one.
  static async start(hubs, { hubPort = 0, dpsPort = 0, gateway = '' } = {}) {
    const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'hubsim-'));
    const readyFile = path.join(dir, 'ready.json');
    const sim = new Hubsim(dir, spawn(binary, [
      'serve', '--hub-port', `${hubPort}`, '--dps-port', `${dpsPort}`, '--control', '127.0.0.1:0',
      '--data', dir, '--dps-retry-after', '1s', '--gateway', gateway, '--ready-file', readyFile,
      ...hubs.flatMap((name) => ['--hub', name]),
    ], { stdio: ['ignore', 'ignore', 'pipe'] }));
    try {
      const ready = await until('hubsim to be ready', () => {
        if (sim.over) throw new Error(`hubsim did not start: ${sim.log}`);
        return fs.readFile(readyFile, 'utf8').catch(() => null);
      });
      return Object.assign(sim, JSON.parse(ready)); // hubPort, webSocketPort, dpsPort, control, scopeId, caFile
    } catch (err) {
      await sim.clear();
      throw err;
    }
  }

  constructor(dir, child) {
    Object.assign(this, { dir, child, over: false, log: '' });
    this.end = new Promise((resolve) => {
      child.on('error', (err) => { this.log += err.message; resolve(err.code); });
      child.on('close', resolve);
    });
    this.end.then(() => { this.over = true; });
    child.stderr.setEncoding('utf8').on('data', (text) => { this.log += text; });
    process.once('exit', () => child.kill());
  }

  async clear() {
    this.child.kill();
    const code = await this.end;
    await fs.rm(this.dir, { recursive: true });
    return code;
  }

  // stop ends the process, which must end well.
  async stop() {
    const code = await this.clear();
    if (code !== 0) throw new Error(`hubsim ended with ${code}: ${this.log}`);
  }

  async call(method, route, body) {
    const answer = await fetch(`http://${this.control}/v1/${route}`, {
      method,
      headers: body && { 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(`${method} ${route}: ${text}`), { status: answer.status });
    return text;
  }

  async get(route) { return JSON.parse(await this.call('GET', route)); }

  // createDevice makes a device and returns its connection string.
  async createDevice(deviceId, hub) {
    await this.call('POST', 'devices', { deviceId, hub });
    return (await this.get(`devices/${escape(deviceId)}/connection-string`)).connectionString;
  }

  // createEnrollment makes an enrollment and returns its key.
  async createEnrollment(id, options = {}) {
    await this.call('POST', 'enrollments', { id, ...options });
    return (await this.get(`enrollments/${escape(id)}/key`)).key;
  }

  disable(deviceId) { return this.call('POST', `devices/${escape(deviceId)}/disable`); }

  kick(deviceId) { return this.call('POST', `devices/${escape(deviceId)}/kick`); }

  inject(fault) { return this.call('POST', 'faults', fault); }

  // send puts a cloud-to-device message into a device's queue.
  send(deviceId, message) { return this.call('POST', `devices/${escape(deviceId)}/messages`, message); }

  // invoke calls a direct method, with null if nothing else is said, once the
  // device has subscribed, and returns the answer.
  async invoke(deviceId, call) {
    return JSON.parse(await this.call('POST', `devices/${escape(deviceId)}/methods`, { connectTimeout: '10s', payload: null, ...call }));
  }

  twin(deviceId) { return this.get(`devices/${escape(deviceId)}/twin`); }

  // updateTwin changes desired properties.
  updateTwin(deviceId, desired) {
    return this.call('PATCH', `devices/${escape(deviceId)}/twin`, { properties: { desired } });
  }

  // queue is what the device has not completed.
  queue(deviceId) { return this.get(`devices/${escape(deviceId)}/messages`); }

  // events are the device-to-cloud messages of a device.
  async events(deviceId) {
    const lines = await this.call('GET', `events?device=${escape(deviceId)}`);
    return lines.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  // logins are the tries of a device to connect, at least as many as told.
  logins(deviceId, count = 0) {
    return until(`login ${count} of ${deviceId}`, async () => {
      const all = await this.get(`logins?device=${escape(deviceId)}`);
      return all.length >= count && all;
    });
  }

  packets(deviceId) { return this.get(`packets?device=${escape(deviceId)}`); }

  // ended returns the first login of a device once its session is over.
  ended(deviceId) {
    return until('the end of a session', async () => {
      const [login] = await this.logins(deviceId, 1);
      return login.end && login;
    });
  }

  // completed returns once the device has completed all that was sent to it.
  completed(deviceId) {
    return until('an empty queue', async () => (await this.queue(deviceId)).length === 0);
  }
}

module.exports = { Hubsim, binary, patience, until };
