/// What is known of how containers are: states of health and how probes change them. Runs nothing itself.
package io.balena.engine.daemon.container.health;
