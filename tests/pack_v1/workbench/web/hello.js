export const hello = "workbench";
