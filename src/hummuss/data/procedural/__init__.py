"""Human performances as closed functions of time: scripts, gaits and leaps that drive a rig."""
