/// What users mount into containers: folders of the host, volumes, tmpfs.
package io.balena.engine.daemon.container.mount;
