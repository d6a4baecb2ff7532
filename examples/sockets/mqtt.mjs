// mqtt and the broker aedes on linnet's sockets: a sensor and a listener, QoS 0 to 2, and a last will.
import Aedes from 'aedes';
import { createNet } from 'linnet/net';
import mqtt from 'mqtt';
import { main, office } from './office.mjs';

export async function example(options) {
	const { laptop, server } = await office(options);
	const broker = new Aedes();
	const listener = createNet(server).createServer(broker.handle).listen(1883);

	const net = createNet(laptop);
	const connect = (options) =>
		new Promise((resolve, reject) => {
			const client = new mqtt.MqttClient(() => net.connect(1883, 'server.example'), { reconnectPeriod: 0, ...options });
			client.once('connect', () => resolve(client)).once('error', reject);
		});
	const ear = await connect({ clientId: 'ear' });
	const sensor = await connect({ clientId: 'sensor', will: { topic: 'birds/sensor', payload: Buffer.from('gone'), qos: 1, retain: false } });
	const heard = [];
	const hears = (text) =>
		new Promise((resolve) => ear.on('message', (_topic, payload) => String(payload) === text && resolve()));
	ear.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
	await ear.subscribeAsync('birds/#', { qos: 2 });
	const last = hears('qos 2');
	for (const qos of [0, 1, 2]) await sensor.publishAsync('birds/linnet', `qos ${qos}`, { qos });
	await last;
	// It drops off without a word: the broker says its will.
	const gone = hears('gone');
	sensor.stream.destroy();
	await gone;
	await ear.endAsync();
	sensor.end(true);
	await new Promise((resolve) => broker.close(resolve));
	listener.close();
	return { heard };
}

await main(import.meta, example);
