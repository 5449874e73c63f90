# SPDX-License-Identifier: Apache-2.0
echo "$HOME/work/x is nobody's path" # FIXME
