/// What users ask of a container: Docker's `Config` and `HostConfig`, kept field by field so that inspect returns what create was given.
package io.balena.engine.daemon.container.config;
