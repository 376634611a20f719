package io.balena.engine.runtime.rootfs;

import static io.balena.engine.runtime.rootfs.MountOptions.MS_NODEV;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOEXEC;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_NOSUID;
import static io.balena.engine.runtime.rootfs.MountOptions.MS_RDONLY;

import io.balena.engine.runtime.cgroup.Hierarchies;

/// What a container sees of its control groups where its spec mounts `cgroup`.
///
/// @param ownNamespace whether it has a cgroup namespace of its own; else its folders are bound, so that it sees no others either
/// @param relative the container's folder below the root of each hierarchy
public record CgroupMount(Hierarchies hierarchies, boolean ownNamespace, String relative) {
    void addTo(Destinations files, String destination, MountOptions options) {
        long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | options.flags();
        files.openFolder(destination);
        if (hierarchies.v1().isEmpty()) {
            files.addMountOnFolder(destination, "cgroup2", flags, null);
            files.closeTarget();
            return;
        }
        files.addMountOnFolder(destination, "tmpfs", flags & ~MS_RDONLY, "mode=755");
        files.closeTarget();
        // Opened again: now it is the tmpfs.
        files.openFolder(destination);
        for (int i = 0; i < hierarchies.v1().size(); i++) {
            var hierarchy = hierarchies.v1().get(i);
            String name = hierarchy.mount().getFileName().toString();
            String path = destination + "/" + name;
            if (ownNamespace) {
                files.addMountBelow(name, path, "cgroup", flags, hierarchy.options());
            } else {
                files.addBindBelow(name, path, hierarchy.mount() + "/" + relative, flags);
            }
            // Programs look for "cpu" where the host has "cpu,cpuacct".
            if (hierarchy.controllers().size() > 1) {
                for (String controller : hierarchy.controllers()) files.addLinkBelow(controller, name);
            }
        }
        if ((flags & MS_RDONLY) != 0) files.addRemountOnFolder(destination, flags);
        files.closeTarget();
    }
}
