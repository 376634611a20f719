/// Addresses, the networks they are in, and who has which of them: arithmetic that touches no kernel.
package io.balena.engine.network.address;
