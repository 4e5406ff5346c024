// Before anything is painted: the theme that was chosen, if one was.
try {
	const theme = localStorage.getItem("ev-theme");
	if (theme === "light" || theme === "dark")
		document.documentElement.dataset.theme = theme;
} catch {
	// no storage: as the system has it
}
