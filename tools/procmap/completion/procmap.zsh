#compdef procmap
# SPDX-License-Identifier: GPL-2.0-only
# Completion of procmap(1) for zsh.

_arguments -s -S \
	'(-p --pid)'{-p+,--pid=}'[the process]:process:_pids' \
	'--read[only readable mappings]' \
	'--write[only writable mappings]' \
	'--exec[only executable mappings]' \
	'--shared[only shared mappings]' \
	'--file[only mappings of files]' \
	'--next[where nothing covers an address, the next mapping above]' \
	'(--file-offset --symbolize)--elf-address[print file and ELF address]' \
	'(--elf-address --symbolize)--file-offset[print file and offset]' \
	'(--elf-address --file-offset)--symbolize=-[print function and line]::program:_command_names -e' \
	'*--debug-dir=[look there for debug files too]:directory:_directories' \
	'--debuginfod=-[get debug files from the network]::URL:_urls' \
	'--return-addresses[look up the call before a return address]' \
	'--answers-only[do not pass on the lines of standard input]' \
	'--build-id[with the build ID of the file]' \
	'--page-size[with the page size of the mapping]' \
	'(--width)--json[one JSON object a line]' \
	'(--json)--width=[fit the table into so many columns]:columns' \
	'(- *)'{-h,--help}'[print help]' \
	'(- *)'{-V,--version}'[print the version]' \
	'*:process:_pids'
