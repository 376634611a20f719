/// The `balena-engine` command line: a thin client of the engine's API, speaking HTTP over a unix socket or TCP.
///
/// ```
/// Main ── GlobalOptions            which engine, which command
///   └── SystemCommands, ImageCommands, ContainerCommands, RunCommands   one class per group, built when asked for
///         └── EngineClient         requests and answers as JSON, errors as ApiException
///               └── HttpConnection  one connection: headers, chunks, upgrade to a raw stream
/// ```
///
/// It uses the API only: no class of the engine itself, and no native code. Terminal modes are set by `stty`.
package io.balena.engine.cli;
