/** Folder for the stamps of every event, for debugging; also of the agents that `run` starts. */
export const DEBUG_STAMPS_ENV = "TOKENSTORM_DEBUG_STAMPS";
