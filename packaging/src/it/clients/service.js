// What a service does with dockerode: node service.js SOCKET IMAGE
'use strict';
const assert = require('assert');
const { PassThrough } = require('stream');
const zlib = require('zlib');
const Docker = require('dockerode');

const [socketPath, image] = process.argv.slice(2);
const docker = new Docker({ socketPath });

const text = async stream => {
    const parts = [];
    for await (const part of stream) parts.push(part);
    return Buffer.concat(parts);
};
const progress = stream => new Promise((resolve, reject) => docker.modem.followProgress(stream, (e, out) => e ? reject(e) : resolve(out)));
const untilSaid = (stream, words) => new Promise((resolve, reject) => {
    let said = '';
    stream.on('data', part => { said += part; if (said.includes(words)) resolve(said); });
    stream.on('error', reject);
    stream.on('end', () => reject(new Error('ended after: ' + said)));
});

// One file in a tar, as small as can be.
const tar = (name, content) => {
    const header = Buffer.alloc(512);
    header.write(name); header.write('0000644\0', 100); header.write('0000000\0', 108); header.write('0000000\0', 116);
    header.write(content.length.toString(8).padStart(11, '0') + '\0', 124); header.write('00000000000\0', 136);
    header.write('        ', 148); header.write('0', 156); header.write('ustar\0' + '00', 257);
    header.write([...header].reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0') + '\0 ', 148);
    return Buffer.concat([header, Buffer.from(content.padEnd(512, '\0')), Buffer.alloc(1024)]);
};

(async () => {
    assert.equal((await docker.ping()).toString(), 'OK');
    assert.equal((await docker.info()).Driver, 'overlay2');
    const events = await docker.getEvents({ filters: { type: ['container'] } });
    const seen = [];
    events.on('data', part => part.toString().split('\n').filter(Boolean).forEach(line => seen.push(JSON.parse(line))));

    // run() with its output on streams of one's own
    const out = new PassThrough();
    const [ended] = await docker.run(image, ['sh', '-c', 'echo hello; exit 3'], out, { Tty: true, HostConfig: { NetworkMode: 'none', AutoRemove: false } });
    assert.equal(ended.StatusCode, 3);
    assert.equal(out.read().toString(), 'hello\r\n');
    await assert.rejects(docker.getContainer('nobody').inspect(), e => e.statusCode === 404 && e.json.message === 'No such container: nobody');

    // Attached, with what is typed and what is said by each stream
    const container = await docker.createContainer({
        Image: image, name: 'dockerode', Cmd: ['sh', '-c', 'read line; echo "got $line"; echo err >&2; exec sleep 1000'], OpenStdin: true, StdinOnce: true,
        AttachStdin: true, AttachStdout: true, AttachStderr: true, Labels: { by: 'dockerode' }, ExposedPorts: { '80/tcp': {} },
        HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }] }, Binds: ['dockerode-volume:/volume'] },
    });
    const attached = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    const stdout = new PassThrough(), stderr = new PassThrough();
    container.modem.demuxStream(attached, stdout, stderr);
    await container.start();
    await assert.rejects(container.start(), e => e.statusCode === 304);
    attached.write('typed\n');
    await untilSaid(stdout, 'got typed\n');
    await untilSaid(stderr, 'err\n');
    attached.destroy();
    const facts = await container.inspect();
    assert.ok(facts.State.Running);
    assert.ok(Number(facts.NetworkSettings.Ports['80/tcp'][0].HostPort) > 0);
    assert.deepEqual((await docker.listContainers({ filters: { label: ['by=dockerode'] } })).map(c => c.Names[0]), ['/dockerode']);

    // exec, hijacked and not
    const exec = await container.exec({ Cmd: ['sh', '-c', 'cat; exit 6'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
    const typed = await exec.start({ hijack: true, stdin: true });
    const answered = new PassThrough();
    container.modem.demuxStream(typed, answered, answered);
    typed.write('to exec\n');
    typed.end();
    await untilSaid(answered, 'to exec\n');
    await new Promise(resolve => typed.on('end', resolve).resume());
    let ran;
    do { ran = await exec.inspect(); } while (ran.Running);
    assert.equal(ran.ExitCode, 6);

    // Logs, stats, files
    const logs = await container.logs({ stdout: true, stderr: true, follow: true });
    const logged = new PassThrough();
    container.modem.demuxStream(logs, logged, logged);
    await untilSaid(logged, 'got typed\n');
    logs.destroy();
    assert.ok((await container.stats({ stream: false })).memory_stats.usage > 0);
    const stats = await container.stats({ stream: true });
    await untilSaid(stats, 'memory_stats');
    stats.destroy();
    await container.putArchive(tar('given', 'from dockerode'), { path: '/volume' });
    const archive = await text(await container.getArchive({ path: '/volume/given' }));
    assert.ok(archive.includes('from dockerode'));
    await container.putArchive(zlib.gzipSync(tar('packed', 'x')), { path: '/volume' });
    assert.equal((await container.infoArchive({ path: '/volume/packed' })).statusCode ?? 200, 200);

    // Images
    const committed = await container.commit({ repo: 'dockerode-image', tag: '1' });
    assert.match(committed.Id, /^sha256:/);
    await docker.getImage('dockerode-image:1').tag({ repo: 'dockerode-image', tag: '2' });
    const saved = await text(await docker.getImage('dockerode-image:2').get());
    await docker.getImage('dockerode-image:1').remove();
    await docker.getImage('dockerode-image:2').remove();
    const loaded = await progress(await docker.loadImage(require('stream').Readable.from([saved]), {}));
    assert.ok(JSON.stringify(loaded).includes('Loaded image: dockerode-image:2'), JSON.stringify(loaded));
    await docker.getImage('dockerode-image:2').remove({ force: true });

    // The end, which somebody waits for
    const wait = container.wait({ condition: 'next-exit' });
    await container.update({ RestartPolicy: { Name: 'no' } });
    await container.kill({ signal: 'SIGKILL' });
    assert.equal((await wait).StatusCode, 137);
    await assert.rejects(container.stop(), e => e.statusCode === 304);
    await container.remove({ v: true, force: true });
    await docker.getVolume('dockerode-volume').remove();
    for (const each of await docker.listContainers({ all: true, filters: { status: ['exited'] } })) await docker.getContainer(each.Id).remove();
    while (!seen.some(e => e.status === 'destroy' && e.id === facts.Id)) await new Promise(resolve => events.once('data', resolve));
    events.destroy();
    console.log('done');
    process.exit(0); // idle connections would keep it
})().catch(e => { console.error(e); process.exit(1); });
