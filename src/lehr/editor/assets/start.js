import { page } from "./studio.js";

page(document.getElementById("studio"));
