/// Routes about the engine as a whole: `/version`, `/info`, `/events`, and answers for what this engine does not have.
package io.balena.engine.daemon.system;
