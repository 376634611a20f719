package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.daemon.container.mount.MountPoint;
import io.balena.engine.daemon.container.spec.ContainerRoot;
import io.balena.engine.daemon.container.spec.DeviceRequests;
import io.balena.engine.daemon.container.spec.SpecBuilder;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.network.Endpoint;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The bundles of containers that run: what a runtime finds in one is put together here, and taken apart.
final class Bundles {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private final ContainerStore store;
    private final LayerStore layers;
    private final ContainerVolumes volumes;
    private final EtcFiles etc;
    private final SharedMemory memory;
    private final NamespaceDonors donors;
    private final SubpathMounts subpaths;
    private final SpecBuilder specs;
    private final DeviceRequests devices;
    private final IdentityMapping owners;

    /// @param folder on a tmpfs
    Bundles(Path folder, ContainerStore store, LayerStore layers, ContainerVolumes volumes, EtcFiles etc, SharedMemory memory,
            NamespaceDonors donors, SubpathMounts subpaths, SpecBuilder specs, DeviceRequests devices, IdentityMapping owners) {
        this.folder = folder;
        this.store = store;
        this.layers = layers;
        this.volumes = volumes;
        this.etc = etc;
        this.memory = memory;
        this.donors = donors;
        this.subpaths = subpaths;
        this.specs = specs;
        this.devices = devices;
        this.owners = owners;
    }

    /// @param host what stands for `host-gateway` among its names; empty without a bridge
    /// @param forOthers whether another runtime than ours is to read it
    /// @param done gets what was done, also when the rest fails
    /// @return the bundle
    Path assemble(ContainerRecord record, Optional<Endpoint> endpoint, Optional<String> host, boolean forOthers, UndoSteps done)
            throws IOException {
        ContainerId id = record.id();
        ContainerLayer layer = layers.containerLayer(id.hex())
                .orElseThrow(() -> new SystemFailure("the writable layer of container " + id + " is missing", null));
        Path rootfs = layer.mount();
        done.push(layer::unmount);
        // Before a root that is read-only to the container can refuse it.
        if (!record.config().workingDirectory().isEmpty()) makeWorkingDirectory(new ContainerRoot(rootfs), record.config().workingDirectory());
        Map<String, Path> files = etcFiles(record, endpoint, host);
        done.push(() -> volumes.unmount(record));
        volumes.mount(record);
        BindSources.prepare(record.mounts(), owners);
        if (memory.provide(record)) done.push(() -> memory.remove(id));
        done.push(() -> subpaths.unmount(id));
        List<MountPoint> mounts = subpaths.mount(id, record.mounts());
        done.push(() -> delete(id));
        return write(record, new SpecBuilder.Surroundings(id.hex(), rootfs, files, mounts, donors.of(record)), forOthers);
    }

    private void makeWorkingDirectory(ContainerRoot root, String path) throws IOException {
        try {
            root.makeDirectory(path, owners);
        } catch (FileAlreadyExistsException e) {
            throw new InvalidRequest("Cannot mkdir: " + path + " is not a directory");
        } catch (FileSystemException e) {
            if (!"Not a directory".equals(e.getReason())) throw e;
            throw new SystemFailure("lstat " + e.getFile() + ": not a directory", e);
        }
    }

    private Map<String, Path> etcFiles(ContainerRecord record, Optional<Endpoint> endpoint, Optional<String> host) throws IOException {
        if (record.host().networkMode() instanceof NetworkMode.OfContainer other) {
            // Who shares a network has the other's view of it.
            ContainerId owner = store.find(other.idOrName()).id();
            return Map.of("/etc/resolv.conf", etc.resolvConf(owner), "/etc/hostname", etc.hostname(owner), "/etc/hosts", etc.hosts(owner));
        }
        return etc.write(record, endpoint.map(Endpoint::address), host);
    }

    private Path write(ContainerRecord record, SpecBuilder.Surroundings around, boolean forOthers) throws IOException {
        RuntimeSpec spec = devices.addTo(specs.build(record.config(), record.host(), around), record.host());
        specs.prepareGroups(spec);
        Path bundle = folder.resolve(record.id().hex());
        Files.createDirectories(bundle);
        Files.write(bundle.resolve("config.json"), JSON.writeValueAsBytes(forOthers ? spec.asOldest() : spec));
        return bundle;
    }

    private void delete(ContainerId id) throws IOException {
        Path bundle = folder.resolve(id.hex());
        Files.deleteIfExists(bundle.resolve("config.json"));
        Files.deleteIfExists(bundle);
    }

    /// The mounted root of a container that runs.
    Path rootOf(ContainerId id) throws IOException {
        return layers.containerLayer(id.hex()).orElseThrow(() -> new IOException("no layer for container " + id)).mount();
    }

    /// Takes apart what [#assemble] has put together, whoever did it.
    void dismantle(ContainerId id, UndoSteps steps) {
        steps.push(() -> {
            Optional<ContainerLayer> layer = layers.containerLayer(id.hex());
            if (layer.isPresent()) layer.get().unmount();
        });
        steps.push(() -> delete(id));
        steps.push(() -> subpaths.unmount(id));
        steps.push(() -> memory.remove(id));
        store.get(id.hex()).ifPresent(container -> steps.push(() -> volumes.unmount(container.record())));
    }
}
