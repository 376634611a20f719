/// The process that owns containers: it takes requests, makes and reaps processes, and says what became of them.
///
/// ```
///  ShimServer ── accepts ──▶ ShimClient ── one request at a time ──▶ OwnedContainers ──▶ OwnedContainer ──▶ OwnedProcess
///                                                                        │                                      │
///                                                       Workers: ContainerRuntime                        ProcessStreams
/// ```
package io.balena.engine.runtime.shim;
