/// Images, their names, and the pipelines that move them between registries, archives and the layer store.
package io.balena.engine.distribution;
