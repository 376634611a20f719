/// Whether what the engine answers is what the API's own description says.
///
/// ```
/// docker, curl, any client ── socket ── RecordingRelay ── socket ── engine
///                                           │ Transcript
///                                           ▼
///                                       Exchanges (in memory; with -Dapi.recorded=true in files, one line each)
///                                           │ after the scripts of ContractIT
///                                           ▼
///   engine-v1.41.yaml, … ── ApiDescription ── Contract ── violations ── KnownInaccuracies
///                                               Coverage ── gaps ── KnownGaps
/// ```
///
/// `ContractIT` puts relays before an engine and a dockerd of its own. With `-Dapi.recorded=true` all other tests have relays as well, and
/// what they have written until then is judged with it.
package io.balena.engine.packaging.contract;
