/// Containers: what they are, what is stored of them, and what can be done to them.
///
/// ```
///  data-root/containers/<id>/          0710
///      config.v2.json                  0600  everything but HostConfig, as moby 20.10 writes it
///      hostconfig.json                 0644
///      hostname hosts resolv.conf      0644  mounted into the container
///      <id>-json.log[.N]               0640  written by the shim
///  exec-root/bundles/<id>/config.json        what the runtime is told; on a tmpfs
/// ```
///
/// [io.balena.engine.daemon.container.Container] holds one container's record and lock; the verbs are in `Creation`, `Start`,
/// `Ending`, `Removal` and `Commits`, and [io.balena.engine.daemon.container.Containers] is the common face of those that change it.
/// The shim owns the processes and is the truth about what runs; the record is the truth about everything else.
package io.balena.engine.daemon.container;
