/// The resolver at 127.0.0.11 of containers on networks of the user's own: names of other containers, and for all other names the servers
/// that the machine or the user has.
///
/// ```
///  container's network namespace                                    the shim: one thread for all containers
///  ─────────────────────────────                                    ──────────────────────────────────────
///  program ── 127.0.0.11:53 ── DOCKER_OUTPUT ──▶ 127.0.0.11:34567 ──▶ Outlet ── DnsQuery ── NameTable ──▶ DnsReply
///                                               (udp, tcp)              │
///                          servers ◀── sockets of the container's ──────┴─▶ Forward: one server after the other
/// ```
///
/// Names of containers are known by what each says of itself ([ContainerNames]): the names of one that has ended end with it.
package io.balena.engine.dns;
