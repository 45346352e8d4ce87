// @ts-check
/** The page after leaving: this browser forgets where its guest was, and how the page was arranged. */

import { forgetChat } from "./chat.js";
import { forgetPositions } from "./position.js";

forgetPositions();
forgetChat();
