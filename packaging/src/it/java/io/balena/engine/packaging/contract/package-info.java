/// Whether what the engine answers is what the API's own description says.
///
/// ```
/// docker, curl, any client ── socket ── RecordingRelay ── socket ── engine
///                                           │ Transcript
///                                           ▼
///                                       Exchanges (a file, one line each)
///                                           │ after all other tests
///                                           ▼
///   engine-v1.41.yaml, … ── ApiDescription ── Contract ── violations, coverage
/// ```
package io.balena.engine.packaging.contract;
