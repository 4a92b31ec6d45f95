/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a process is doing.
 */
#ifndef PROC_MAPS_QUERY_STATE_H
#define PROC_MAPS_QUERY_STATE_H

/* Returns the letter that /proc/PID/stat has: D if most signals do not wake it. */
static inline char process_state(pid_t pid)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "re");
	must(stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1);
	fclose(stat);
	return state;
}

#endif /* PROC_MAPS_QUERY_STATE_H */
