// @ts-check
/** The page after leaving: this browser forgets where its guest was. */

import { forgetPositions } from "./position.js";

forgetPositions();
