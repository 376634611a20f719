// The calls of the balena Supervisor, as it makes them (dockerode, no version in the URL): node supervisor.js SOCKET IMAGE REGISTRY_IMAGE
// With `-` for the registry's image nothing is pulled. What only a balena engine answers is not asked of others.
'use strict';
const assert = require('assert');
const Docker = require('dockerode');

const [socketPath, image, remote] = process.argv.slice(2);
const docker = new Docker({ socketPath });
const unchanged = (message, told, wanted) => {
    for (const [key, value] of Object.entries(wanted)) assert.deepStrictEqual(told[key], value, `${message}: ${key}`);
};
const failing = status => e => status.includes(e.statusCode);

async function version() {
    const version = await docker.version();
    assert.ok(version.Version && version.ApiVersion);
    return ['balena', 'balaena', 'balena-engine'].includes(version.Engine);
}

/// With a balena engine the percentage is taken from the events named Total, and from nothing else.
async function pull(isBalena) {
    const stream = await docker.createImage({}, { fromImage: remote, authconfig: { username: 'd_abc', password: 'secret', serverAddress: remote.split('/')[0] } }).catch(() =>
        docker.createImage({ fromImage: remote, authconfig: { registrytoken: 'token' } }));
    const messages = await new Promise((resolve, reject) => docker.modem.followProgress(stream, (e, out) => e ? reject(e) : resolve(out)));
    assert.ok(!messages.some(m => m.error), JSON.stringify(messages));
    const totals = messages.filter(m => m.id === 'Total');
    if (isBalena) {
        assert.ok(totals.length > 0, 'no Total');
        for (const each of totals) assert.ok(each.progressDetail.total >= each.progressDetail.current, JSON.stringify(each));
    }
    const facts = await docker.getImage(remote).inspect();
    assert.ok(facts.RepoDigests.length > 0 && facts.Size > 0);
    const listed = await docker.listImages({ digests: true });
    assert.ok(listed.some(i => i.Id === facts.Id && i.RepoDigests.length > 0));
    assert.equal((await docker.listImages({ filters: { reference: [remote] } })).length, 1);
    const [repo] = remote.split(/:(?=[^/]*$)/);
    await docker.getImage(facts.Id).tag({ repo, tag: 'kept' });
    await docker.getImage(remote).remove();
    await docker.getImage(`${repo}:kept`).remove();
    await assert.rejects(docker.getImage(remote).inspect(), failing([404]));
    await assert.rejects(docker.getImage(remote).remove(), failing([404]));
    // Cancelled by leaving.
    const cancelled = await docker.createImage({ fromImage: remote });
    cancelled.destroy();
}

async function volumes() {
    await assert.rejects(docker.getVolume('1_data').inspect(), failing([404]));
    const options = { Name: '1_data', Labels: { 'io.balena.supervised': 'true', 'io.balena.app-uuid': 'abc' }, Driver: 'local', DriverOpts: {} };
    await docker.createVolume(options);
    const told = await docker.getVolume('1_data').inspect();
    unchanged('volume', told, { Name: '1_data', Labels: options.Labels, Driver: 'local' });
    assert.match(told.Mountpoint, /\/volumes\/1_data\/_data$/);
    const { Volumes } = await docker.listVolumes({ filters: { label: ['io.balena.supervised'] } });
    assert.deepStrictEqual(Volumes.map(v => v.Name), ['1_data']);
}

async function networks() {
    const wanted = {
        Name: 'supervisor0', Driver: 'bridge', CheckDuplicate: true, Internal: false, EnableIPv6: false, ConfigOnly: false,
        IPAM: { Driver: 'default', Config: [{ Subnet: '10.114.104.0/25', Gateway: '10.114.104.1' }], Options: {} },
        Options: { 'com.docker.network.bridge.name': 'supervisor0' }, Labels: { 'io.balena.supervised': 'true' },
    };
    await docker.createNetwork(wanted);
    const told = await docker.getNetwork('supervisor0').inspect();
    unchanged('network', told, { Name: 'supervisor0', Driver: 'bridge', Internal: false, EnableIPv6: false, ConfigOnly: false, Options: wanted.Options, Labels: wanted.Labels });
    assert.deepStrictEqual(told.IPAM.Config, wanted.IPAM.Config);
    await docker.createNetwork({ Name: '1_default', CheckDuplicate: true, Labels: { 'io.balena.supervised': 'true' }, IPAM: { Driver: 'default', Config: [], Options: {} } });
    const listed = await docker.listNetworks({ filters: { label: ['io.balena.supervised'] } });
    assert.deepStrictEqual(listed.map(n => n.Name).sort(), ['1_default', 'supervisor0']);
}

const config = {
    name: 'main_1_2_abcdef', Image: image, Tty: true, Env: ['B=2', 'A=1'], Cmd: ['sh', '-c', 'exec sleep 1000'], Entrypoint: null, StopSignal: 'SIGINT', StopTimeout: 3,
    Labels: { 'io.balena.supervised': 'true', 'io.balena.app-id': '1', 'io.balena.service-id': '2', 'io.balena.service-name': 'main', 'io.balena.app-uuid': 'abc' },
    Volumes: { '/data': {} }, ExposedPorts: { '80/tcp': {} }, Hostname: 'main', Domainname: 'local', User: '0', WorkingDir: '/tmp',
    Healthcheck: { Test: ['CMD', 'true'], Interval: 200000000 },
    HostConfig: {
        CapAdd: ['NET_ADMIN', 'SYS_TIME'], CapDrop: ['MKNOD'], Binds: ['1_data:/data', '/etc:/host-etc:ro'], Mounts: [{ Type: 'tmpfs', Target: '/mounted' }], CgroupParent: '',
        Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/mine', CgroupPermissions: 'rwm' }], DeviceRequests: [], Dns: ['10.0.0.53'], DnsOptions: ['ndots:2'],
        DnsSearch: ['example'], PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '18080' }] }, ExtraHosts: ['a:10.0.0.1'], GroupAdd: ['5'], PidMode: '', PidsLimit: 100,
        SecurityOpt: ['no-new-privileges'], Sysctls: { 'net.ipv4.ip_forward': '1' }, Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
        RestartPolicy: { Name: 'always', MaximumRetryCount: 0 }, CpuShares: 100, CpuQuota: 50000, CpusetCpus: '', Memory: 67108864, MemoryReservation: 33554432,
        OomKillDisable: false, OomScoreAdj: 100, Privileged: false, ReadonlyRootfs: false, ShmSize: 67108864, Tmpfs: { '/tmpfs': '' }, UsernsMode: '', NanoCpus: 0,
        IpcMode: 'shareable', Init: true, LogConfig: { Type: 'json-file', Config: {} }, NetworkMode: '1_default',
    },
};

let environmentOfImage;

/// What is told differs from what was asked for: the Supervisor would kill and make anew, for ever.
function requireSame(told) {
    const { name, HostConfig, Image, Volumes, Tty, ...own } = config;
    assert.equal(told.Name, '/' + name);
    unchanged('config', told.Config, { Image, Tty, ...own, Env: [...own.Env, ...environmentOfImage] });
    unchanged('host config', told.HostConfig, { ...HostConfig });
}

async function containers(network) {
    config.HostConfig.NetworkMode = network;
    if (network !== 'bridge') config.NetworkingConfig = { EndpointsConfig: { [network]: { Aliases: ['main'], IPAMConfig: {} } } };
    const { id } = await docker.createContainer(config);
    delete config.NetworkingConfig;
    const container = docker.getContainer(id);
    let told = await container.inspect();
    requireSame(told);
    assert.deepStrictEqual([told.State.Status, told.State.Running, told.State.StartedAt, told.State.FinishedAt], ['created', false, '0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z']);
    if (network !== 'bridge') {
        await docker.getNetwork('supervisor0').connect({ Container: id, EndpointConfig: { Aliases: ['main'], IPAMConfig: { IPv4Address: '10.114.104.7' } } });
    }
    await container.start();
    await assert.rejects(container.start(), failing([304]));
    told = await container.inspect();
    requireSame(told);
    assert.ok(told.State.Running && told.Image.startsWith('sha256:') && Date.parse(told.Created));
    if (network !== 'bridge') {
        const { Networks } = told.NetworkSettings;
        assert.deepStrictEqual(Object.keys(Networks).sort(), [network, 'supervisor0'].sort());
        assert.ok(Networks[network].Aliases.includes('main') && Networks[network].Aliases.includes(id.slice(0, 12)), JSON.stringify(Networks));
        assert.equal(Networks.supervisor0.IPAddress, '10.114.104.7');
    }
    while ((await container.inspect()).State.Health.Status !== 'healthy') await new Promise(resolve => setTimeout(resolve, 100));
    const listed = await docker.listContainers({ all: true, filters: { label: ['io.balena.supervised', 'io.balena.app-id=1'] } });
    assert.equal(listed.length, 1);
    assert.deepStrictEqual(listed[0].Mounts.filter(m => m.Type === 'volume').map(m => m.Name), ['1_data']);
    await container.rename({ name: 'main_1_3_abcdef' });
    await container.update({ RestartPolicy: { Name: 'no' } });
    await assert.rejects(docker.getVolume('1_data').remove(), failing([409]));
    await assert.rejects(docker.getImage(image).remove(), failing([409]));
    await container.stop();
    await assert.rejects(container.stop(), failing([304]));
    if (network !== 'bridge') await docker.getNetwork('supervisor0').disconnect({ Container: id, Force: true });
    await container.remove({ v: true });
    await assert.rejects(container.remove({ v: true }), failing([404]));
    await assert.rejects(container.stop(), failing([404]));
    return id;
}

async function notExecutable() {
    const container = await docker.createContainer({ Image: image, Cmd: ['/etc/not-executable'], HostConfig: { NetworkMode: 'none' } });
    await assert.rejects(container.start(), e => /permission denied|exec format error/.test(e.message));
    await container.remove({ force: true });
}

(async () => {
    const isBalena = await version();
    const info = await docker.info();
    assert.ok(info.DockerRootDir && info.Driver === 'overlay2');
    const events = await docker.getEvents({ filters: { type: ['container'] } });
    const seen = [];
    events.on('data', part => part.toString().split('\n').filter(Boolean).forEach(line => seen.push(JSON.parse(line))));
    environmentOfImage = (await docker.getImage(image).inspect()).Config.Env ?? [];
    if (remote !== '-') await pull(isBalena);
    await volumes();
    // One with networks of the user's own where the engine has them.
    const own = await networks().then(() => true, e => { if (e.statusCode === 501) return false; throw e; });
    const id = await containers(own ? '1_default' : 'bridge');
    await notExecutable();
    if (own) for (const name of ['supervisor0', '1_default']) await docker.getNetwork(name).remove();
    await docker.getVolume('1_data').remove();
    while (!seen.some(e => e.status === 'destroy' && e.id === id)) await new Promise(resolve => events.once('data', resolve));
    for (const status of ['start', 'die', 'destroy']) assert.ok(seen.some(e => e.status === status && e.id === id), status);
    console.log(own ? 'done' : 'done without networks of its own');
    process.exit(0); // idle connections would keep it
})().catch(e => { console.error(e); process.exit(1); });
