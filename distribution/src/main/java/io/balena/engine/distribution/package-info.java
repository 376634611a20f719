/// Images, their names, and the pipelines that move them between registries, archives and the layer store.
///
/// On disk, below the data root:
/// ```
/// image/overlay2/
///   repositories.json                      {"Repositories":{"app":{"app:1":"sha256:<image>","app@sha256:<manifest>":"sha256:<image>"}}}
///   imagedb/content/sha256/<image>         the configuration, whose digest is the image's id
///   imagedb/metadata/sha256/<image>/
///     parent                               of an image that was built here
///     lastUpdated                          when it was last given a name by hand, RFC 3339
///   distribution/                          caches; may be deleted
///     diffid-by-digest/sha256/<blob>       sha256:<layer>
///     v2metadata-by-diffid/sha256/<layer>  [{"Digest":"sha256:<blob>","SourceRepository":"…","HMAC":"<of the login that pushed it>"}],
///                                          newest last
/// ```
/// What makes no sense at start-up is moved to `quarantine/` ([io.balena.engine.graphdriver.Quarantine]).
///
/// Files are replaced whole, by [io.balena.engine.linux.DurableFile]; only the caches do without.
package io.balena.engine.distribution;
