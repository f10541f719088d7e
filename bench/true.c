/* SPDX-License-Identifier: MIT */
/* The smallest static program: what fork+exec and fork+sh -c start. */
int main(void)
{
    return 0;
}
